/** The shapes of the HTTP API, written by hand after its description; everything the server says is one of these. */

export type Role = 'admin' | 'operator' | 'editor' | 'reader';

export interface Session {
  user: string;
  role: Role;
  expires_at: string | null;
}

export type TaggingState = 'suggested' | 'confirmed' | 'rejected';

/** Why a file carries a tag: who said so, how sure, and what it saw. */
export interface Tagging {
  name: string;
  kind: string;
  source: string;
  version: string;
  score: number;
  evidence: string;
  state: TaggingState;
}

export interface File {
  kind: 'file';
  path: string;
  name: string;
  size: number;
  blake3: string;
  media_type: string;
  owner: string;
  created_at: string;
  modified_at: string;
  /** How many losses of nodes the file survives now; negative: unreadable now. Counted when one file is asked about. */
  redundancy?: number;
  /** Present where the server was asked about one file, and in search results. */
  tags?: Tagging[];
}

export interface Folder {
  kind: 'folder';
  path: string;
  name: string;
  owner: string;
  created_at: string;
  modified_at: string;
}

export type Entry = File | Folder;

export interface Page<Item> {
  items: Item[];
  next: string | null;
}

export interface TrashItem {
  id: number;
  path: string;
  kind: 'file' | 'folder';
  size: number;
  trashed_at: string;
  expires_at: string;
}

export interface FileVertex {
  id: string;
  type: 'file';
  label: string;
  path: string;
  size: number;
}

export interface TagVertex {
  id: string;
  type: 'tag';
  label: string;
  kind: string;
  files: number;
}

export interface Edge {
  source: string;
  target: string;
  score: number;
}

export interface TagGraph {
  nodes: (FileVertex | TagVertex)[];
  edges: Edge[];
  truncated: boolean;
}

export interface TagCount {
  name: string;
  kind: string;
  files: number;
}

export interface RelatedTag extends TagCount {
  score: number;
}

export interface SimilarFile {
  path: string;
  name: string;
  size: number;
  score: number;
  shared: string[];
}

export type NodeState =
  | 'joining'
  | 'online'
  | 'suspect'
  | 'offline'
  | 'stopping'
  | 'asleep'
  | 'waking'
  | 'draining'
  | 'retired';

export interface StorageNode {
  name: string;
  id: string;
  state: NodeState;
  address: string;
  metrics_address: string;
  pid: number | null;
  zone: string;
  free_bytes: number;
  used_bytes: number;
  capacity_bytes: number;
  shards: number;
  load1: number;
  cores: number;
  memory_total_bytes: number;
  memory_available_bytes: number;
  resident_bytes: number;
  heartbeat_age_seconds: number | null;
  uptime_seconds: number;
  weight: number;
}

export type ActOutcome = 'done' | 'started' | 'refused' | 'failed' | 'dry_run' | 'unchanged';

/** What moves between nodes for an act. */
export interface Plan {
  groups: number;
  places: number;
  shards: number;
  bytes: number;
  files: number;
  seconds: number;
  bytes_per_second: number;
  measured: boolean;
  worst_margin: number | null;
}

/** What an act on a node did, would do, or was refused for. */
export interface Act {
  outcome: ActOutcome;
  state: NodeState;
  message: string;
  groups_counted: number;
  groups_below_floor: number;
  worst_margin: number;
  files_touched: number;
  owners: string[];
  tags: string[];
  plan?: Plan;
}

export interface BackgroundWork {
  name: string;
  queue: number;
  rate: number;
  last_error: string | null;
  eta_seconds: number | null;
}

export interface Cluster {
  cluster: string;
  policy: string;
  nodes: Partial<Record<NodeState, number>>;
  /** The worst margin is unknown while there are no groups. */
  groups: { total: number; worst_margin: number | null; by_margin: Record<string, number> };
  short_extents: number;
  files: number;
  bytes: number;
  capacity_bytes: number;
  free_bytes: number;
  background: BackgroundWork[];
  graph: { kind: 'sql' | 'neo4j'; reachable: boolean };
  monitor: { reachable: boolean };
  version: string;
}

export interface Transition {
  seq: number;
  time: string;
  kind: string;
  subject: string;
  from: string;
  to: string;
  cause: string;
  actor: string;
}

/** An act that may help against what a message says. */
export interface MessageAct {
  verb: 'wake' | 'drain';
  node: string;
}

/** What the monitor, or another system through it, wants people to know. */
export interface Message {
  id: number;
  source: 'monitor' | 'alertmanager' | 'grafana';
  name: string;
  severity: string;
  labels: Record<string, string>;
  value: number | null;
  state: 'firing' | 'resolved';
  summary: string;
  advice: string;
  runbook: string;
  started_at: string;
  ended_at: string | null;
  /** How many files it touches; unknown while nobody could be asked, and of messages that touch none. */
  files: number | null;
  owners: string[];
  tags: string[];
  parent: number | null;
  children: number;
  read: boolean;
  acknowledged_by: string | null;
  silenced: boolean;
  acts: MessageAct[];
}

export interface Messages extends Page<Message> {
  unread: number;
}

/** The stable codes of `application/problem+json` answers. */
export type ProblemCode =
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'invalid_path'
  | 'invalid_query'
  | 'invalid_request'
  | 'exists'
  | 'not_empty'
  | 'conflict'
  | 'precondition_failed'
  | 'payload_too_large'
  | 'range_not_satisfiable'
  | 'too_many_requests'
  | 'too_few_nodes'
  | 'insufficient_storage'
  | 'unavailable'
  | 'refused'
  | 'internal';

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  detail: string;
  request_id: string;
  /** Only with the code `refused`. */
  act?: Act;
}
