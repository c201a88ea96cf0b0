import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { similarQuery } from '../api/queries';
import { parentOf } from '../files/path';
import { text } from '../text';
import { Failure } from '../ui/Failure';
import classes from './FileDetail.module.css';

/** Files that share the rarer of this file's tags. */
export function SimilarFiles({ path }: { path: string }) {
  const { data, error, refetch } = useQuery(similarQuery(path));
  return (
    <section className={classes.section}>
      <h3 className={classes.heading}>{text.detail.similar}</h3>
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {data?.length === 0 && <p className={classes.none}>{text.detail.noSimilar}</p>}
      <ul className={classes.similar}>
        {data?.map((file) => (
          <li key={file.path}>
            <Link
              to="/files"
              search={{ path: parentOf(file.path), file: file.name }}
              className={classes.link}
            >
              <span className="cut">{file.name}</span>
              <span className={`${classes.why} cut`}>{text.detail.shared(file.shared)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
