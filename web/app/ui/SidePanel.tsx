import { CloseButton } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import type { ReactNode } from 'react';
import classes from './SidePanel.module.css';

interface Props {
  title: ReactNode;
  label: string;
  closeLabel: string;
  testId: string;
  onClose: () => void;
  children: ReactNode;
}

/** Details beside a list; on a narrow screen over it. Escape closes it. */
export function SidePanel({ title, label, closeLabel, testId, onClose, children }: Props) {
  // A dialog above the panel takes the key for itself.
  useHotkeys([['Escape', () => document.querySelector('[role=dialog]') ?? onClose()]]);
  return (
    <aside className={classes.panel} aria-label={label} data-testid={testId}>
      <header className={classes.header}>
        <div className={classes.title}>{title}</div>
        <CloseButton aria-label={closeLabel} onClick={onClose} />
      </header>
      <div className={classes.body}>{children}</div>
    </aside>
  );
}
