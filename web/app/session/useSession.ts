import { getRouteApi } from '@tanstack/react-router';
import type { Role } from '../api/types';

const app = getRouteApi('/app');

const RANK: Record<Role, number> = { reader: 0, editor: 1, operator: 2, admin: 3 };

export function useSession() {
  return app.useRouteContext({ select: (context) => context.session });
}

/** Whether to offer what needs this role. The server decides anyway; this only spares a refusal. */
export function useMay(role: Role): boolean {
  return RANK[useSession().role] >= RANK[role];
}
