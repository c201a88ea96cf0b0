import { Button } from '@mantine/core';
import { IconFolderOpen, IconUpload } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { listingQuery } from '../api/queries';
import type { Entry } from '../api/types';
import { FileDetail } from '../detail/FileDetail';
import { useMay } from '../session/useSession';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { Failure } from '../ui/Failure';
import { PageHeader } from '../ui/PageHeader';
import { PageTitle } from '../ui/PageTitle';
import { Rows } from '../ui/Rows';
import { DropZone } from '../upload/DropZone';
import { UploadMenu } from '../upload/UploadMenu';
import { useAddDropped } from '../upload/useAddDropped';
import { Breadcrumbs } from './Breadcrumbs';
import type { Dialog } from './dialogs';
import { FileDialogs } from './FileDialogs';
import classes from './FilesPage.module.css';
import { FileTable } from './FileTable';
import { useTrash } from './mutations';
import { join, nameOf, normalize, parentOf } from './path';
import { SelectionBar } from './SelectionBar';
import { NOTHING, present, type Selection } from './selection';
import { BY_NAME, sorted, sortFrom, sortTo } from './sort';

const route = getRouteApi('/app/files');
const NO_ENTRIES: Entry[] = [];

export function FilesPage() {
  const search = route.useSearch();
  const path = normalize(search.path ?? '/');
  // Another folder is another page: nothing ticked or opened there carries over.
  return <FolderPage key={path} path={path} />;
}

function FolderPage({ path }: { path: string }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay('editor');
  const addDropped = useAddDropped(path);
  const trash = useTrash();
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const [dialog, setDialog] = useState<Dialog | null>(null);

  const listing = useInfiniteQuery(listingQuery(path));
  const sort = sortFrom(search.sort);
  const loaded = useMemo(
    () => listing.data?.pages.flatMap((page) => page.items) ?? NO_ENTRIES,
    [listing.data],
  );
  // Without a wish, the server's own order stands: it is the one that holds across pages.
  const entries = useMemo(
    () => (search.sort ? sorted(loaded, sortFrom(search.sort)) : loaded),
    [loaded, search.sort],
  );
  const order = entries.map((entry) => entry.path);
  const ticked = present(selection, order);

  const open = (entry: Entry) =>
    entry.kind === 'folder'
      ? navigate({ search: { ...(search.sort && { sort: search.sort }), path: entry.path } })
      : navigate({ search: { ...search, file: entry.name } });
  const close = () => navigate({ search: ({ file: _, ...others }) => others });

  const remove = (paths: string[]) => {
    trash.mutate(paths);
    setSelection(NOTHING);
  };

  return (
    <DropZone folder={path} disabled={!mayWrite} onDrop={addDropped}>
      <PageTitle>{nameOf(path) || text.files.title}</PageTitle>
      <PageHeader
        title={<Breadcrumbs path={path} />}
        lead={listing.data && counted(loaded, listing.hasNextPage)}
      >
        {mayWrite && (
          <UploadMenu
            folder={path}
            onPick={addDropped}
            onNewFolder={() => setDialog({ name: 'mkdir', folder: path })}
          />
        )}
      </PageHeader>
      <div className={classes.columns}>
        <div className={classes.list}>
          {listing.isPending && <Rows />}
          {listing.isError && !listing.data && <Failure error={listing.error} onRetry={listing.refetch} />}
          {listing.data && entries.length === 0 && (
            <Empty
              icon={mayWrite ? <IconUpload size={22} /> : <IconFolderOpen size={22} />}
              title={text.files.emptyTitle}
            >
              {mayWrite ? text.files.emptyLead : text.files.emptyReader}
            </Empty>
          )}
          {entries.length > 0 && (
            <FileTable
              entries={entries}
              sort={sort}
              onSort={(next) =>
                navigate({ search: ({ sort: _, ...others }) => withSort(others, sortTo(next)) })
              }
              selection={selection}
              onSelect={setSelection}
              chosen={search.file ? join(path, search.file) : null}
              mayWrite={mayWrite}
              onOpen={open}
              onDialog={setDialog}
              onRemove={(entry) => remove([entry.path])}
            />
          )}
          {listing.hasNextPage && (
            <div className={classes.more}>
              <Button
                variant="default"
                loading={listing.isFetchingNextPage}
                onClick={() => void listing.fetchNextPage()}
              >
                {text.files.more}
              </Button>
              {sort.column !== BY_NAME.column && <span>{text.files.sortedLoaded}</span>}
            </div>
          )}
        </div>
        {search.file && <FileDetail path={join(path, search.file)} onClose={close} />}
      </div>
      {ticked.length > 0 && (
        <SelectionBar
          count={ticked.length}
          mayWrite={mayWrite}
          onMove={() => setDialog({ name: 'move', paths: ticked })}
          onRemove={() => remove(ticked)}
          onClear={() => setSelection(NOTHING)}
        />
      )}
      <FileDialogs
        dialog={dialog}
        onClose={() => setDialog(null)}
        onRenamed={(from, to) =>
          search.file === nameOf(from) &&
          parentOf(to) === path &&
          navigate({ search: { ...search, file: nameOf(to) } })
        }
      />
    </DropZone>
  );
}

function withSort<Search extends object>(
  search: Search,
  sort: string | undefined,
): Search & { sort?: string } {
  return sort ? { ...search, sort } : search;
}

function counted(entries: readonly Entry[], more: boolean): string {
  const folders = entries.filter((entry) => entry.kind === 'folder').length;
  const count = text.files.count(folders, entries.length - folders);
  return more ? `${count} ${text.files.countMore}` : count;
}
