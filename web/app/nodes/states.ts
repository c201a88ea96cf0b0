import type { NodeState } from '../api/types';

/** Asleep is intended and calm; suspect is a doubt; offline is a loss. */
export const STATE_COLOR: Record<NodeState, string> = {
  joining: 'blue',
  online: 'teal',
  suspect: 'yellow',
  offline: 'red',
  stopping: 'blue',
  asleep: 'indigo',
  waking: 'blue',
  draining: 'orange',
  retired: 'gray',
};

export function canStop(state: NodeState): boolean {
  return state === 'online' || state === 'suspect' || state === 'draining';
}

export function canWake(state: NodeState): boolean {
  return state === 'asleep' || state === 'offline';
}

/** On the way to another state: nothing can be asked of it now. */
export function isMoving(state: NodeState): boolean {
  return state === 'stopping' || state === 'waking' || state === 'joining';
}
