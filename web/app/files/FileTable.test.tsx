// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { file } from '../test/fixtures';
import { draw } from '../test/render';
import { FileTable } from './FileTable';
import { NOTHING } from './selection';
import { BY_NAME } from './sort';

afterEach(cleanup);

const HOSTILE = '<img src=x onerror=alert(1)>';

function table(names: string[]) {
  const on = { onSort: vi.fn(), onSelect: vi.fn(), onOpen: vi.fn(), onDialog: vi.fn(), onRemove: vi.fn() };
  const entries = names.map((name) => file(`/${name}`));
  draw(<FileTable {...on} entries={entries} sort={BY_NAME} selection={NOTHING} chosen={null} mayWrite />);
  return on;
}

test('a name is text, whatever it holds', () => {
  table([HOSTILE]);
  expect(screen.getByText(HOSTILE).textContent).toBe(HOSTILE);
  expect(document.querySelector('img')).toBeNull();
  expect(screen.getByTestId('file-row').dataset.path).toBe(`/${HOSTILE}`);
});

test('the name opens, the box ticks, the heading sorts', () => {
  const on = table(['a.txt', 'b.txt']);
  fireEvent.click(screen.getByRole('button', { name: 'a.txt' }));
  expect(on.onOpen).toHaveBeenCalledWith(expect.objectContaining({ path: '/a.txt' }));
  fireEvent.click(screen.getByRole('checkbox', { name: 'Select b.txt' }));
  expect([...(on.onSelect.mock.calls[0]?.[0].paths ?? [])]).toEqual(['/b.txt']);
  fireEvent.click(screen.getByRole('button', { name: 'Size' }));
  expect(on.onSort).toHaveBeenCalledWith({ column: 'size', descending: false });
});
