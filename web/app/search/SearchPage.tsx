import { Alert, SegmentedControl } from '@mantine/core';
import { IconZoomQuestion } from '@tabler/icons-react';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { hasCode } from '../api/client';
import { graphQuery, searchQuery } from '../api/queries';
import { FileDetail } from '../detail/FileDetail';
import { useWide } from '../shell/useWide';
import { text } from '../text';
import { Failure } from '../ui/Failure';
import { PageHeader } from '../ui/PageHeader';
import { PageTitle } from '../ui/PageTitle';
import { Rows } from '../ui/Rows';
import { GraphPane } from './GraphPane';
import { type TagRef, tagRefFrom, tagRefTo } from './kinds';
import { narrowed, tagTerm } from './language';
import { ResultList } from './ResultList';
import { SearchBox } from './SearchBox';
import classes from './SearchPage.module.css';
import { SearchStart } from './SearchStart';
import { TagDetail } from './TagDetail';

const route = getRouteApi('/app/search');

export function SearchPage() {
  const { q = '' } = route.useSearch();
  const wide = useWide();
  return (
    <section className={classes.page} aria-label={text.search.title}>
      <PageTitle>{q || text.search.title}</PageTitle>
      {!wide && (
        <div className={classes.box}>
          <SearchBox />
        </div>
      )}
      {q === '' ? <SearchStart /> : <Results q={q} />}
    </section>
  );
}

function Results({ q }: { q: string }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const list = useInfiniteQuery({ ...searchQuery(q), placeholderData: keepPreviousData });
  const graph = useQuery({ ...graphQuery(q), placeholderData: keepPreviousData });
  const found = list.data?.pages.flatMap((page) => page.items);
  const tag = tagRefFrom(search.tag);

  // The query stays in the address beside what is chosen, so that a link shows the same.
  const view = search.view && { view: search.view };
  const openFile = (path: string) => navigate({ search: { q, ...view, file: path } });
  const openTag = (chosen: TagRef) => navigate({ search: { q, ...view, tag: tagRefTo(chosen) } });
  const close = () => navigate({ search: { q, ...view } });

  if (hasCode(list.error, 'invalid_query')) {
    return (
      <Alert
        color="yellow"
        variant="light"
        m="md"
        icon={<IconZoomQuestion size={18} />}
        title={text.search.unreadable}
      >
        {list.error.message}
      </Alert>
    );
  }
  if (list.isError && !found) return <Failure error={list.error} onRetry={list.refetch} />;
  return (
    <>
      <PageHeader
        title={<h1>{text.search.title}</h1>}
        lead={found && text.search.found(found.length, list.hasNextPage)}
      >
        <SegmentedControl
          className={classes.views ?? ''}
          size="xs"
          aria-label={text.search.view}
          value={search.view === 'graph' ? 'graph' : 'list'}
          onChange={(value) => navigate({ search: { ...search, view: value } })}
          data={(['list', 'graph'] as const).map((value) => ({ value, label: text.search.views[value] }))}
        />
      </PageHeader>
      <div className={classes.columns} data-view={search.view === 'graph' ? 'graph' : 'list'}>
        <div className={classes.list}>
          {!found && <Rows />}
          {found && (
            <ResultList
              files={found}
              chosen={search.file ?? null}
              onOpen={openFile}
              onTag={openTag}
              onMore={list.hasNextPage ? () => void list.fetchNextPage() : null}
              loadingMore={list.isFetchingNextPage}
            />
          )}
        </div>
        <div className={classes.graph}>
          <GraphPane
            graph={graph.data}
            error={graph.error}
            onRetry={graph.refetch}
            chosenFile={search.file ?? null}
            chosenTag={tag}
            onFile={openFile}
            onTag={openTag}
            onNothing={close}
          />
        </div>
        {tag && (
          <TagDetail
            key={search.tag}
            tag={tag}
            onClose={close}
            onFile={openFile}
            onTag={openTag}
            onNarrow={() => navigate({ search: { q: narrowed(q, tagTerm(tag.name)) } })}
            onSearch={() => navigate({ search: { q: tagTerm(tag.name) } })}
          />
        )}
        {search.file && <FileDetail key={search.file} path={search.file} onClose={close} onTag={openTag} />}
      </div>
    </>
  );
}
