import { Progress } from '@mantine/core';
import { formatPercent } from './format';
import classes from './Meter.module.css';

interface Props {
  label: string;
  used: number;
  total: number;
  caption: string;
}

const TIGHT = 0.8;
const FULL = 0.92;

/** How much of something is used, with a colour that changes before it is too late. */
export function Meter({ label, used, total, caption }: Props) {
  const ratio = total > 0 ? used / total : 0;
  const color = ratio >= FULL ? 'red' : ratio >= TIGHT ? 'yellow' : undefined;
  return (
    <div>
      <div className={`${classes.caption} figures`}>
        <span>{caption}</span>
        <span>{formatPercent(ratio)}</span>
      </div>
      <Progress size={5} value={ratio * 100} aria-label={label} {...(color && { color })} />
    </div>
  );
}
