import { formatAgo, formatMoment } from './format';
import { useNow } from './useNow';

/** `5 min ago`, ticking; the exact moment on hover. */
export function Ago({ time }: { time: string }) {
  const now = useNow();
  return (
    <time dateTime={time} title={formatMoment(time)} className="figures">
      {formatAgo(Date.parse(time), now)}
    </time>
  );
}
