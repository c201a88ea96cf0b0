import { Button } from '@mantine/core';
import { IconFilterPlus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { relatedQuery, tagFilesQuery } from '../api/queries';
import { text } from '../text';
import { Failure } from '../ui/Failure';
import { FileIcon } from '../ui/FileIcon';
import { formatBytes, formatCount } from '../ui/format';
import { Rows } from '../ui/Rows';
import { SidePanel } from '../ui/SidePanel';
import { Tag } from '../ui/Tag';
import { colorOfKind, type TagRef, tagRefTo } from './kinds';
import { tagTerm } from './language';
import classes from './TagDetail.module.css';

const RELATED_SHOWN = 24;

interface Props {
  tag: TagRef;
  onClose: () => void;
  onFile: (path: string) => void;
  onTag: (tag: TagRef) => void;
  onNarrow: () => void;
  onSearch: () => void;
}

/** A tag: the files that carry it, and the tags that go with it. */
export function TagDetail({ tag, onClose, onFile, onTag, onNarrow, onSearch }: Props) {
  const title = (
    <>
      <span className={classes.dot} style={{ background: colorOfKind(tag.kind) }} aria-hidden />
      <h2 className={`${classes.title} cut`} title={tag.name} data-testid="tag-title" data-tag={tag.name}>
        {tag.name}
      </h2>
      <span className={classes.kind}>{tag.kind}</span>
    </>
  );
  return (
    <SidePanel
      title={title}
      label={tag.name}
      closeLabel={text.tag.close}
      testId="tag-detail"
      onClose={onClose}
    >
      <div className={classes.actions}>
        <Button
          size="xs"
          leftSection={<IconFilterPlus size={15} />}
          onClick={onNarrow}
          data-testid="tag-narrow"
        >
          {text.tag.narrow}
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconSearch size={15} />}
          onClick={onSearch}
          data-testid="tag-search"
        >
          {text.tag.search}
        </Button>
      </div>
      <Related tag={tag} onTag={onTag} />
      <TagFiles tag={tag} onFile={onFile} onAll={onSearch} />
    </SidePanel>
  );
}

function Related({ tag, onTag }: Pick<Props, 'tag' | 'onTag'>) {
  const { data, error, refetch } = useQuery(relatedQuery(tag.name, tag.kind));
  return (
    <section>
      <h3 className={classes.heading}>{text.tag.related}</h3>
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {!data && !error && <Rows count={2} height={14} />}
      {data?.length === 0 && <p className={classes.none}>{text.tag.noRelated}</p>}
      <div className={classes.related}>
        {data?.slice(0, RELATED_SHOWN).map((related) => (
          <Tag
            key={tagRefTo(related)}
            name={related.name}
            kind={related.kind}
            count={formatCount(related.files)}
            testId="related-tag"
            onClick={() => onTag(related)}
          />
        ))}
      </div>
    </section>
  );
}

function TagFiles({ tag, onFile, onAll }: Pick<Props, 'tag' | 'onFile'> & { onAll: () => void }) {
  const { data, error, refetch } = useQuery(tagFilesQuery(tagTerm(tag.name)));
  return (
    <section className={classes.section}>
      <h3 className={classes.heading}>{text.tag.files}</h3>
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {!data && !error && <Rows count={4} height={14} />}
      <ul className={classes.files}>
        {data?.items.map((file) => (
          <li key={file.path}>
            <button
              type="button"
              className={classes.file}
              title={file.path}
              onClick={() => onFile(file.path)}
              data-testid="tag-file"
              data-path={file.path}
            >
              <FileIcon kind="file" mediaType={file.media_type} />
              <span className="cut">{file.name}</span>
              <span className={`${classes.size} figures`}>{formatBytes(file.size)}</span>
            </button>
          </li>
        ))}
      </ul>
      {data?.next && (
        <Button variant="subtle" size="compact-sm" onClick={onAll}>
          {text.search.more}
        </Button>
      )}
    </section>
  );
}
