import type { ReactNode } from 'react';
import { colorOfKind } from '../search/kinds';
import classes from './Tag.module.css';

interface Props {
  name: string;
  kind: string;
  /** A figure after the name. */
  count?: ReactNode;
  chosen?: boolean;
  /** Rejected by a person: still known, no longer meant. */
  struck?: boolean;
  /** What the dot and the figure say, for those who don't see them. */
  description?: string;
  testId?: string;
  onClick?: () => void;
}

/** A tag, with its kind as a coloured dot; a button when it leads somewhere. */
export function Tag({ name, kind, count, chosen, struck, description, testId, onClick }: Props) {
  const inner = (
    <>
      <span className={classes.dot} style={{ background: colorOfKind(kind) }} aria-hidden />
      <span className={struck ? classes.struck : classes.name}>{name}</span>
      {count !== undefined && (
        <span className={classes.count} aria-hidden={description !== undefined}>
          {count}
        </span>
      )}
      {description && <span className="visually-hidden">{description}</span>}
    </>
  );
  if (!onClick) {
    return (
      <span className={classes.tag} title={`${kind}: ${name}`} data-tag={name}>
        {inner}
      </span>
    );
  }
  return (
    <button
      type="button"
      className={classes.tag}
      title={`${kind}: ${name}`}
      aria-pressed={chosen}
      data-testid={testId}
      data-tag={name}
      data-kind={kind}
      onClick={onClick}
    >
      {inner}
    </button>
  );
}
