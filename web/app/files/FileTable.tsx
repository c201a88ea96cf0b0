import { Checkbox } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import type { Entry } from '../api/types';
import { text } from '../text';
import { MINUTE_MS, useNow } from '../ui/useNow';
import { useStable } from '../ui/useStable';
import type { Dialog } from './dialogs';
import { FileRow } from './FileRow';
import classes from './FileTable.module.css';
import { extend, NOTHING, present, type Selection, selectAll, toggle } from './selection';
import { nextSort, type Sort, type SortColumn } from './sort';

interface Props {
  entries: readonly Entry[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  selection: Selection;
  onSelect: (selection: Selection) => void;
  /** The file whose details are open. */
  chosen: string | null;
  mayWrite: boolean;
  onOpen: (entry: Entry) => void;
  onDialog: (dialog: Dialog) => void;
  onRemove: (entry: Entry) => void;
}

export function FileTable(props: Props) {
  const { entries, sort, onSort, selection, onSelect, chosen, mayWrite } = props;
  const order = entries.map((entry) => entry.path);
  const count = present(selection, order).length;
  const now = useNow(MINUTE_MS);
  // Servers that don't count losses for a whole listing leave the column out.
  const counted = entries.some((entry) => entry.kind === 'file' && entry.redundancy !== undefined);
  const handlers = useStable({
    onTick: (path: string, range: boolean) =>
      onSelect(range ? extend(selection, path, order) : toggle(selection, path)),
    onOpen: props.onOpen,
    onDialog: props.onDialog,
    onRemove: props.onRemove,
  });

  return (
    <div
      role="table"
      data-counted={counted || undefined}
      aria-label={text.files.list}
      className={classes.table}
      aria-rowcount={entries.length + 1}
    >
      <div role="row" className={`${classes.row} ${classes.head}`}>
        <div role="cell" className={classes.tick}>
          <Checkbox
            size="xs"
            aria-label={text.files.selectAll}
            checked={count > 0 && count === order.length}
            indeterminate={count > 0 && count < order.length}
            onChange={() => onSelect(count === order.length ? NOTHING : selectAll(order))}
          />
        </div>
        <Column name="name" {...{ sort, onSort }} />
        <Column name="redundancy" {...{ sort, onSort }} />
        <Column name="size" {...{ sort, onSort }} />
        <Column name="modified" {...{ sort, onSort }} />
        <div role="cell" />
      </div>
      {entries.map((entry) => (
        <FileRow
          key={entry.path}
          entry={entry}
          now={now}
          ticked={selection.paths.has(entry.path)}
          chosen={entry.path === chosen}
          mayWrite={mayWrite}
          {...handlers}
        />
      ))}
    </div>
  );
}

interface ColumnProps {
  name: SortColumn;
  sort: Sort;
  onSort: (sort: Sort) => void;
}

function Column({ name, sort, onSort }: ColumnProps) {
  const active = sort.column === name;
  const Arrow = sort.descending ? IconArrowDown : IconArrowUp;
  return (
    <div
      role="columnheader"
      className={classes[name]}
      aria-sort={active ? (sort.descending ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" className={classes.sort} onClick={() => onSort(nextSort(sort, name))}>
        {text.files.columns[name]}
        {active && <Arrow size={13} aria-hidden />}
      </button>
    </div>
  );
}
