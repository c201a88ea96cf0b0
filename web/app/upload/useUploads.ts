import { createContext, use, useSyncExternalStore } from 'react';
import type { Uploads } from './uploads';

export const UploadsContext = createContext<Uploads | null>(null);

export function useUploads(): Uploads {
  const uploads = use(UploadsContext);
  if (!uploads) throw new Error('useUploads outside of UploadsContext');
  return uploads;
}

export function useQueue() {
  const uploads = useUploads();
  return useSyncExternalStore(uploads.subscribe, uploads.queue);
}
