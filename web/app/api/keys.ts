/** The names under which answers are remembered; a shorter key stands for all that begin with it. */
export const keys = {
  session: ['session'],
  cluster: ['cluster'],
  nodes: ['nodes'],
  timeline: ['timeline'],
  messages: ['messages'],
  trash: ['trash'],
  tags: ['tags'],
  /** All that a query finds: lists, graphs, a tag's files. */
  found: ['found'],
  listing: (path: string) => ['listing', path],
  file: (path: string) => ['file', path],
} as const;
