/** What the page reads, each with its name in the cache. Pages and loaders share these. */

import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { request } from './client';
import { keys } from './keys';
import { url } from './paths';
import { newest, TIMELINE_PAGE } from './timeline';
import type {
  Cluster,
  Entry,
  File,
  Messages,
  Page,
  RelatedTag,
  Session,
  SimilarFile,
  StorageNode,
  TagCount,
  TagGraph,
  Transition,
  TrashItem,
} from './types';

const LISTING_PAGE_ITEMS = 200;
const SEARCH_PAGE_ITEMS = 100;
const GRAPH_NODES_MAX = 200;
const TAG_FILES_MAX = 20;
const MESSAGES_PAGE_ITEMS = 200;
const SUGGESTIONS_MAX = 8;
const POPULAR_MAX = 40;

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: ({ signal }) => request<Session>(url.session(), { signal }),
  staleTime: Number.POSITIVE_INFINITY,
  retry: false,
});

export const clusterQuery = queryOptions({
  queryKey: keys.cluster,
  queryFn: ({ signal }) => request<Cluster>(url.cluster(), { signal }),
});

export const nodesQuery = queryOptions({
  queryKey: keys.nodes,
  queryFn: async ({ signal }) => (await request<{ items: StorageNode[] }>(url.nodes(), { signal })).items,
});

export const timelineQuery = queryOptions({
  queryKey: keys.timeline,
  queryFn: ({ signal, client }) => {
    const known = client.getQueryData<Transition[]>(keys.timeline) ?? [];
    return newest(known, (after) =>
      request<{ items: Transition[] }>(url.timeline({ after, limit: TIMELINE_PAGE }), { signal }),
    );
  },
});

/** Which messages a person looks at. */
export type Shown = 'open' | 'unread' | 'all';

export const messagesQuery = (shown: Shown) =>
  queryOptions({
    queryKey: [...keys.messages, shown],
    queryFn: ({ signal }) => {
      const which = shown === 'all' ? {} : { [shown]: true };
      return request<Messages>(url.messages({ ...which, limit: MESSAGES_PAGE_ITEMS }), { signal });
    },
  });

export const listingQuery = (path: string) =>
  infiniteQueryOptions({
    queryKey: keys.listing(path),
    queryFn: ({ pageParam, signal }) =>
      request<Page<Entry>>(url.folder(path, { cursor: pageParam, limit: LISTING_PAGE_ITEMS }), { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const trashQuery = infiniteQueryOptions({
  queryKey: keys.trash,
  queryFn: ({ pageParam, signal }) => request<Page<TrashItem>>(url.trash({ cursor: pageParam }), { signal }),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export const fileQuery = (path: string) =>
  queryOptions({
    queryKey: keys.file(path),
    queryFn: ({ signal }) => request<File>(url.file(path), { signal }),
  });

export const similarQuery = (path: string) =>
  queryOptions({
    queryKey: [...keys.file(path), 'similar'],
    queryFn: async ({ signal }) =>
      (await request<{ items: SimilarFile[] }>(url.similar(path), { signal })).items,
  });

export const searchQuery = (q: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.found, 'list', q],
    queryFn: ({ pageParam, signal }) =>
      request<Page<File>>(url.search({ q, cursor: pageParam, limit: SEARCH_PAGE_ITEMS }), { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const graphQuery = (q: string) =>
  queryOptions({
    queryKey: [...keys.found, 'graph', q],
    queryFn: ({ signal }) => request<TagGraph>(url.graph({ q, limit: GRAPH_NODES_MAX }), { signal }),
  });

export const tagFilesQuery = (q: string) =>
  queryOptions({
    queryKey: [...keys.found, 'tag', q],
    queryFn: ({ signal }) => request<Page<File>>(url.search({ q, limit: TAG_FILES_MAX }), { signal }),
  });

export const relatedQuery = (tag: string, kind: string) =>
  queryOptions({
    queryKey: [...keys.tags, 'related', kind, tag],
    queryFn: async ({ signal }) =>
      (await request<{ items: RelatedTag[] }>(url.related(tag, kind), { signal })).items,
  });

export const popularTagsQuery = queryOptions({
  queryKey: [...keys.tags, 'popular'],
  queryFn: async ({ signal }) =>
    (await request<{ items: TagCount[] }>(url.tags({ limit: POPULAR_MAX }), { signal })).items,
});

export const suggestionsQuery = (prefix: string) =>
  queryOptions({
    queryKey: [...keys.tags, 'prefix', prefix],
    queryFn: async ({ signal }) =>
      (await request<{ items: TagCount[] }>(url.tags({ prefix, limit: SUGGESTIONS_MAX }), { signal })).items,
    enabled: prefix.length > 0,
  });
