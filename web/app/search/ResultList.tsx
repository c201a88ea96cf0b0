import { Button } from '@mantine/core';
import { IconSearchOff } from '@tabler/icons-react';
import { memo } from 'react';
import type { File } from '../api/types';
import { parentOf } from '../files/path';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { FileIcon } from '../ui/FileIcon';
import { formatBytes } from '../ui/format';
import { Survives } from '../ui/Survives';
import { Tag } from '../ui/Tag';
import { byInterest, type TagRef } from './kinds';
import classes from './ResultList.module.css';

const TAGS_SHOWN = 4;

interface Props {
  files: readonly File[];
  chosen: string | null;
  onOpen: (path: string) => void;
  onTag: (tag: TagRef) => void;
  onMore: (() => void) | null;
  loadingMore: boolean;
}

export function ResultList({ files, chosen, onOpen, onTag, onMore, loadingMore }: Props) {
  if (files.length === 0) {
    return (
      <Empty icon={<IconSearchOff size={22} />} title={text.search.none}>
        {text.search.noneLead}
      </Empty>
    );
  }
  return (
    <ul className={classes.results} aria-label={text.search.results}>
      {files.map((file) => (
        <Result key={file.path} file={file} chosen={file.path === chosen} onOpen={onOpen} onTag={onTag} />
      ))}
      {onMore && (
        <li className={classes.more}>
          <Button variant="default" loading={loadingMore} onClick={onMore}>
            {text.search.more}
          </Button>
        </li>
      )}
    </ul>
  );
}

interface ResultProps {
  file: File;
  chosen: boolean;
  onOpen: (path: string) => void;
  onTag: (tag: TagRef) => void;
}

const Result = memo(function Result({ file, chosen, onOpen, onTag }: ResultProps) {
  const tags = (file.tags ?? []).filter((tag) => tag.state !== 'rejected');
  const shown = byInterest(tags).slice(0, TAGS_SHOWN);
  return (
    <li
      className={classes.result}
      data-testid="search-result"
      data-path={file.path}
      data-chosen={chosen || undefined}
    >
      <button type="button" className={classes.open} onClick={() => onOpen(file.path)} aria-pressed={chosen}>
        <FileIcon kind="file" mediaType={file.media_type} />
        <span className={classes.names}>
          <span className={`${classes.name} cut`}>{file.name}</span>
          <span className={`${classes.folder} cut`}>{parentOf(file.path)}</span>
        </span>
        <span className={`${classes.figures} figures`}>
          {file.redundancy !== undefined && <Survives redundancy={file.redundancy} />}
          <span>{formatBytes(file.size)}</span>
        </span>
      </button>
      {shown.length > 0 && (
        <div className={classes.tags}>
          {shown.map((tag) => (
            <Tag key={`${tag.kind}:${tag.name}`} name={tag.name} kind={tag.kind} onClick={() => onTag(tag)} />
          ))}
          {tags.length > shown.length && (
            <span className={classes.others}>{text.search.moreTags(tags.length - shown.length)}</span>
          )}
        </div>
      )}
    </li>
  );
});
