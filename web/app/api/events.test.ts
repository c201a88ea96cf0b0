import { describe, expect, test } from 'vitest';
import { cluster, node } from '../test/fixtures';
import { applyToCluster, applyToNodes, parseEvent, type ServerEvent, staleAfter } from './events';
import { keys } from './keys';

describe('a frame', () => {
  const check = (frame: string, type: ServerEvent['type'] | null) =>
    expect(parseEvent(frame)?.type ?? null).toBe(type);

  test('of a known kind is an event', () =>
    check('{"seq":1,"type":"file_stored","path":"/a"}', 'file_stored'));
  test('of a newer server is passed over', () => check('{"seq":1,"type":"moon_phase"}', null));
  test('without a number is passed over', () => check('{"type":"resync"}', null));
  test('that is no JSON is passed over', () => check('hello', null));
  test('that is no object is passed over', () => {
    check('null', null);
    check('[]', null);
  });
});

describe('what an event makes old', () => {
  test('a stored file: each folder above it, itself, what was found', () => {
    const stale = staleAfter({ seq: 1, type: 'file_stored', path: '/a/b/c.txt' });
    expect(stale).toContainEqual(keys.listing('/'));
    expect(stale).toContainEqual(keys.listing('/a'));
    expect(stale).toContainEqual(keys.listing('/a/b'));
    expect(stale).toContainEqual(keys.found);
    expect(stale).not.toContainEqual(keys.trash);
  });
  test('a removed file: the trash too', () => {
    expect(staleAfter({ seq: 1, type: 'file_removed', path: '/a' })).toContainEqual(keys.trash);
  });
  test('a message: the messages', () => {
    const told = {
      message: 7,
      name: 'NodeDown',
      severity: 'warning',
      firing: true,
      summary: 'n1 is offline',
    };
    expect(staleAfter({ seq: 1, type: 'message_changed', ...told })).toEqual([keys.messages]);
  });
  test('missed events: everything', () => {
    expect(staleAfter({ seq: 1, type: 'resync' })).toEqual([[]]);
  });
});

describe('the cluster after an event', () => {
  const changed = (from: 'online' | 'offline', to: 'online' | 'asleep' | 'suspect') =>
    applyToCluster(cluster({ nodes: { online: 5, suspect: 1 } }), {
      seq: 1,
      type: 'node_changed',
      node: 'n',
      from,
      to,
    });

  test('a node moves from one count to another', () => {
    expect(changed('online', 'suspect').nodes).toEqual({ online: 4, suspect: 2 });
  });
  test('a count out of step is left for the reload', () => {
    expect(changed('offline', 'online').nodes).toEqual({ online: 5, suspect: 1 });
  });
  test('the last of a state takes the state with it', () => {
    const one = cluster({ nodes: { online: 1 } });
    const after = applyToCluster(one, {
      seq: 1,
      type: 'node_changed',
      node: 'n',
      from: 'online',
      to: 'asleep',
    });
    expect(after.nodes).toEqual({ asleep: 1 });
  });
  test('margins are told directly', () => {
    const after = applyToCluster(cluster(), {
      seq: 1,
      type: 'groups_changed',
      worst_margin: 0,
      short_extents: 7,
    });
    expect([after.groups.worst_margin, after.short_extents]).toEqual([0, 7]);
  });
});

test('a node takes its new state, the others stay', () => {
  const nodes = [node('n1'), node('n2')];
  const after = applyToNodes(nodes, {
    seq: 1,
    type: 'node_changed',
    node: 'n2',
    from: 'online',
    to: 'asleep',
  });
  expect(after.map(({ state }) => state)).toEqual(['online', 'asleep']);
});
