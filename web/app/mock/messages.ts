/** The messages of the mock: one for each node that is away without being meant to. */

import type { Message } from '../api/types';
import { bodyOf, type Call, json, nothing, problem } from './http.ts';
import { emit, filesOf, type Mock, setNodeState } from './state.ts';

/** Has a node die, and tells of it. */
export function die(mock: Mock, name: string) {
  setNodeState(mock, name, 'offline', 'the process is dead', 'monitor');
  const message: Message = {
    id: mock.messages.length + 1,
    source: 'monitor',
    name: 'NodeProcessDead',
    severity: 'warning',
    labels: { node: name },
    value: 1,
    state: 'firing',
    summary: `The storage node ${name} has died on a live host`,
    advice: 'Wake it. If it dies again, read its log first: the disk may be failing.',
    runbook: 'docs/runbooks/NodeProcessDead.md',
    started_at: new Date().toISOString(),
    ended_at: null,
    files: filesOf(mock).length,
    owners: ['admin'],
    tags: ['image', 'jpeg'],
    parent: null,
    children: 0,
    read: false,
    acknowledged_by: null,
    silenced: false,
    acts: [{ verb: 'wake', node: name }],
  };
  mock.messages.unshift(message);
  tell(mock, message);
}

function tell(mock: Mock, { id, name, severity, state, summary }: Message) {
  const firing = state === 'firing';
  emit(mock, { type: 'message_changed', message: id, name, severity, firing, summary });
}

export async function messages(mock: Mock, call: Call, user: string) {
  const [, id] = call.raw;
  if (id === undefined) return json(call, 200, list(mock, call.query));
  const message = mock.messages.find((known) => known.id === Number(id));
  if (!message) return problem(call, 404, 'not_found', 'There is no such message.');
  const { read, acknowledged } = await bodyOf(call.request);
  if (typeof read === 'boolean') message.read = read;
  if (typeof acknowledged === 'boolean') message.acknowledged_by = acknowledged ? user : null;
  tell(mock, message);
  return nothing(call);
}

function list(mock: Mock, query: URLSearchParams) {
  for (const message of mock.messages) {
    const back = mock.nodes.get(message.labels.node ?? '')?.state === 'online';
    if (back && message.state === 'firing')
      Object.assign(message, { state: 'resolved', ended_at: new Date().toISOString() });
  }
  const shown = mock.messages.filter(({ silenced }) => !silenced);
  const items = shown.filter(
    ({ state, read }) =>
      (query.get('open') !== 'true' || state === 'firing') && (query.get('unread') !== 'true' || !read),
  );
  return { items, next: null, unread: shown.filter(({ read }) => !read).length };
}

export async function silence(mock: Mock, call: Call) {
  const { name, labels } = await bodyOf(call.request);
  for (const message of mock.messages)
    if (message.name === name && JSON.stringify(message.labels) === JSON.stringify(labels))
      message.silenced = true;
  return json(call, 201, { id: 1 });
}
