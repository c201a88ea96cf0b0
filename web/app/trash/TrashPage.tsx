import { Button } from '@mantine/core';
import { IconArrowBackUp, IconTrash } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { trashQuery } from '../api/queries';
import type { TrashItem } from '../api/types';
import { nameOf, parentOf } from '../files/path';
import { useMay } from '../session/useSession';
import { text } from '../text';
import { Ago } from '../ui/Ago';
import { Empty } from '../ui/Empty';
import { Failure } from '../ui/Failure';
import { FileIcon } from '../ui/FileIcon';
import { formatBytes, formatDuration, formatMoment } from '../ui/format';
import { PageHeader } from '../ui/PageHeader';
import { PageTitle } from '../ui/PageTitle';
import { Rows } from '../ui/Rows';
import { MINUTE_MS, useNow } from '../ui/useNow';
import { useRestoreItem } from './mutations';
import classes from './TrashPage.module.css';

export function TrashPage() {
  const trash = useInfiniteQuery(trashQuery);
  const mayWrite = useMay('editor');
  const restore = useRestoreItem();
  const items = trash.data?.pages.flatMap((page) => page.items);
  const columns = text.trash.columns;

  return (
    <section className={classes.page} aria-label={text.trash.title}>
      <PageTitle>{text.trash.title}</PageTitle>
      <PageHeader title={<h1>{text.trash.title}</h1>} lead={text.trash.lead} />
      <div className={classes.list}>
        {trash.isPending && <Rows />}
        {trash.isError && !items && <Failure error={trash.error} onRetry={trash.refetch} />}
        {items?.length === 0 && (
          <Empty icon={<IconTrash size={22} />} title={text.trash.emptyTitle}>
            {text.trash.emptyLead}
          </Empty>
        )}
        {items && items.length > 0 && (
          <div role="table" aria-label={text.trash.title}>
            <div role="row" className={`${classes.row} ${classes.head}`}>
              <div role="columnheader">{columns.name}</div>
              <div role="columnheader" className={classes.from}>
                {columns.from}
              </div>
              <div role="columnheader" className={classes.size}>
                {columns.size}
              </div>
              <div role="columnheader" className={classes.deleted}>
                {columns.deleted}
              </div>
              <div role="columnheader" className={classes.expires}>
                {columns.expires}
              </div>
              <div role="cell" />
            </div>
            {items.map((item) => (
              <Row
                key={item.id}
                item={item}
                mayWrite={mayWrite}
                busy={restore.isPending && restore.variables.id === item.id}
                onRestore={() => restore.mutate(item)}
              />
            ))}
          </div>
        )}
        {trash.hasNextPage && (
          <div className={classes.more}>
            <Button
              variant="default"
              loading={trash.isFetchingNextPage}
              onClick={() => void trash.fetchNextPage()}
            >
              {text.files.more}
            </Button>
          </div>
        )}
      </div>
    </section>
  );
}

interface RowProps {
  item: TrashItem;
  mayWrite: boolean;
  busy: boolean;
  onRestore: () => void;
}

function Row({ item, mayWrite, busy, onRestore }: RowProps) {
  const now = useNow(MINUTE_MS);
  const name = nameOf(item.path);
  return (
    <div role="row" className={classes.row} data-testid="trash-row" data-path={item.path}>
      <div role="cell" className={classes.name}>
        <FileIcon kind={item.kind} />
        <span className="cut" title={name}>
          {name}
        </span>
      </div>
      <div role="cell" className={`${classes.from} cut`} title={parentOf(item.path)}>
        {parentOf(item.path)}
      </div>
      <div role="cell" className={`${classes.size} figures`}>
        {item.kind === 'file' ? formatBytes(item.size) : '–'}
      </div>
      <div role="cell" className={classes.deleted}>
        <Ago time={item.trashed_at} />
      </div>
      <div role="cell" className={`${classes.expires} figures`} title={formatMoment(item.expires_at)}>
        {formatDuration((Date.parse(item.expires_at) - now) / 1000)}
      </div>
      <div role="cell" className={classes.action}>
        {mayWrite && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconArrowBackUp size={15} />}
            aria-label={text.trash.restoreOne(name)}
            loading={busy}
            onClick={onRestore}
            data-testid="restore"
          >
            {text.trash.restore}
          </Button>
        )}
      </div>
    </div>
  );
}
