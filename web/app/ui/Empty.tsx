import type { ReactNode } from 'react';
import classes from './Empty.module.css';

interface Props {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
}

/** What stands where nothing is, and what to do about it. */
export function Empty({ icon, title, children }: Props) {
  return (
    <div className={classes.empty}>
      <div className={classes.icon}>{icon}</div>
      <h2 className={classes.title}>{title}</h2>
      <div className={classes.body}>{children}</div>
    </div>
  );
}
