import { Button } from '@mantine/core';
import { IconDownload, IconFolder } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { hasCode } from '../api/client';
import { url } from '../api/paths';
import { fileQuery } from '../api/queries';
import type { File } from '../api/types';
import { nameOf, parentOf } from '../files/path';
import { text } from '../text';
import { Failure } from '../ui/Failure';
import { FileIcon } from '../ui/FileIcon';
import { formatBytes, formatMoment } from '../ui/format';
import { Rows } from '../ui/Rows';
import { SidePanel } from '../ui/SidePanel';
import classes from './FileDetail.module.css';
import { FileTags } from './FileTags';
import { SimilarFiles } from './SimilarFiles';

interface Props {
  path: string;
  onClose: () => void;
  /** Where a tag leads; without it, to the search page. */
  onTag?: (tag: { kind: string; name: string }) => void;
}

/** All that is known of one file: what it is, how safe it is, its tags and why it has them. */
export function FileDetail({ path, onClose, onTag }: Props) {
  const { data: file, error, refetch } = useQuery(fileQuery(path));
  const title = (
    <>
      <FileIcon kind="file" mediaType={file?.media_type ?? ''} />
      <h2 className={`${classes.title} cut`} title={nameOf(path)}>
        {nameOf(path)}
      </h2>
    </>
  );

  return (
    <SidePanel
      title={title}
      label={nameOf(path)}
      closeLabel={text.detail.close}
      testId="file-detail"
      onClose={onClose}
    >
      {!file && !error && <Rows count={6} height={14} />}
      {!file &&
        error &&
        (hasCode(error, 'not_found') ? (
          <p>{text.detail.gone}</p>
        ) : (
          <Failure error={error} onRetry={refetch} />
        ))}
      {file && (
        <>
          <div className={classes.actions}>
            <Button
              component="a"
              href={url.content(file.path)}
              download={file.name}
              size="xs"
              leftSection={<IconDownload size={15} />}
              data-testid="download"
            >
              {text.files.download}
            </Button>
            {onTag && (
              <Button
                renderRoot={(props) => (
                  <Link to="/files" search={{ path: parentOf(file.path), file: file.name }} {...props} />
                )}
                size="xs"
                variant="default"
                leftSection={<IconFolder size={15} />}
              >
                {text.detail.showInFolder}
              </Button>
            )}
          </div>
          <Facts file={file} />
          <FileTags path={file.path} tags={file.tags ?? []} {...(onTag && { onTag })} />
          <SimilarFiles path={file.path} />
        </>
      )}
    </SidePanel>
  );
}

function Facts({ file }: { file: File }) {
  const facts: [name: string, value: string, long?: boolean][] = [
    [text.detail.size, formatBytes(file.size)],
    [text.detail.type, file.media_type],
    [
      text.detail.survives,
      file.redundancy === undefined ? text.nodes.none : text.detail.survivesValue(file.redundancy),
    ],
    [text.detail.path, parentOf(file.path)],
    [text.detail.owner, file.owner],
    [text.detail.modified, formatMoment(file.modified_at)],
    [text.detail.created, formatMoment(file.created_at)],
    [text.detail.hash, file.blake3, true],
  ];
  return (
    <dl className={classes.facts}>
      {facts.map(([name, value, long]) => (
        <div key={name} className={classes.fact}>
          <dt>{name}</dt>
          <dd className={long ? classes.hash : undefined} title={value}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}
