// @vitest-environment happy-dom
import { act, cleanup, fireEvent, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { draw } from '../test/render';
import { ConflictDialog } from './ConflictDialog';
import type { Outcome } from './transfer';
import { UploadPanel } from './UploadPanel';
import { Uploads } from './uploads';
import { UploadsContext } from './useUploads';

afterEach(cleanup);

test('a taken name is asked about, a failure can be sent again', async () => {
  const outcomes: Outcome[] = [
    { name: 'taken' },
    { name: 'failed', reason: 'only 4 of 5 nodes answered' },
    { name: 'stored', redundancy: 2 },
    { name: 'stored', redundancy: 2 },
  ];
  const send = async () => outcomes.shift() ?? { name: 'aborted' as const };
  const uploads = new Uploads({ send, makeFolder: async () => {} });
  draw(
    <UploadsContext value={uploads}>
      <UploadPanel />
      <ConflictDialog />
    </UploadsContext>,
  );
  expect(screen.queryByTestId('upload-panel')).toBeNull();

  const picked = ['a', 'b'].map((relative) => ({ file: new File(['x'], relative), relative }));
  await act(async () => uploads.add('/', picked));
  expect((await screen.findByTestId('conflict')).dataset.path).toBe('/a');
  await act(async () => fireEvent.click(screen.getByTestId('conflict-replace')));
  await act(async () => fireEvent.click(screen.getByTestId('upload-retry')));

  const states = screen.getAllByTestId('upload-row').map((row) => row.dataset.state);
  expect(states).toEqual(['done', 'done']);
  await act(async () => fireEvent.click(screen.getByTestId('upload-clear')));
  expect(screen.queryByTestId('upload-panel')).toBeNull();
});
