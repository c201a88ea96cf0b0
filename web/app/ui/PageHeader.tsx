import type { ReactNode } from 'react';
import classes from './PageHeader.module.css';

interface Props {
  title: ReactNode;
  lead?: ReactNode;
  children?: ReactNode;
}

/** The line at the top of a page: what it is on the left, what can be done on the right. */
export function PageHeader({ title, lead, children }: Props) {
  return (
    <header className={classes.header}>
      <div className={classes.title}>{title}</div>
      {lead && <div className={classes.lead}>{lead}</div>}
      <div className={classes.actions}>{children}</div>
    </header>
  );
}
