import { IconChevronRight } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Fragment } from 'react';
import { text } from '../text';
import classes from './Breadcrumbs.module.css';
import { crumbsOf, nameOf } from './path';

/** The way from the root to the open folder; its last step is the page's heading. */
export function Breadcrumbs({ path }: { path: string }) {
  const crumbs = crumbsOf(path);
  return (
    <nav aria-label={text.files.breadcrumbs} className={classes.crumbs} data-testid="breadcrumbs">
      {crumbs.length > 0 && (
        <Link to="/files" search={{}} className={classes.step}>
          {text.files.root}
        </Link>
      )}
      {crumbs.slice(0, -1).map((crumb) => (
        <Fragment key={crumb.path}>
          <IconChevronRight size={14} className={classes.mark} aria-hidden />
          <Link to="/files" search={{ path: crumb.path }} className={classes.step} title={crumb.name}>
            {crumb.name}
          </Link>
        </Fragment>
      ))}
      {crumbs.length > 0 && <IconChevronRight size={14} className={classes.mark} aria-hidden />}
      <h1 className={classes.here} title={nameOf(path)}>
        {nameOf(path) || text.files.root}
      </h1>
    </nav>
  );
}
