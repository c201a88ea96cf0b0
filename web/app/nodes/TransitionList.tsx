import { useQuery } from '@tanstack/react-query';
import { timelineQuery } from '../api/queries';
import { usePollMs } from '../live/useLive';
import { text } from '../text';
import { Ago } from '../ui/Ago';
import { Failure } from '../ui/Failure';
import { Rows } from '../ui/Rows';
import classes from './TransitionList.module.css';

/** What changed last, by whom and why. */
export function TransitionList() {
  const { data, error, refetch, isPending } = useQuery({ ...timelineQuery, refetchInterval: usePollMs() });
  return (
    <section className={classes.card} aria-label={text.nodes.timeline}>
      <h2 className={classes.title}>{text.nodes.timeline}</h2>
      {isPending && <Rows count={3} height={14} />}
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {data?.length === 0 && <p className={classes.none}>{text.nodes.timelineEmpty}</p>}
      <ol className={classes.list}>
        {data?.map(({ seq, time, subject, from, to, cause, actor }) => (
          <li key={seq} className={classes.row}>
            <span className={classes.time}>
              <Ago time={time} />
            </span>
            <span className={classes.what}>{text.nodes.transition(subject, from, to)}</span>
            <span className={`${classes.why} cut`} title={cause}>
              {cause}
            </span>
            <span className={classes.who}>{actor}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
