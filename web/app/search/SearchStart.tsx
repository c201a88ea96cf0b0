import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { popularTagsQuery } from '../api/queries';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { formatCount } from '../ui/format';
import { Tag } from '../ui/Tag';
import { tagRefTo } from './kinds';
import { tagTerm } from './language';
import classes from './SearchStart.module.css';

/** Before a query: how to ask, and the tags there are. */
export function SearchStart() {
  const navigate = useNavigate();
  const { data: tags } = useQuery(popularTagsQuery);
  return (
    <div className={classes.start}>
      <h1 className="visually-hidden">{text.search.title}</h1>
      <Empty icon={<IconSearch size={22} />} title={text.search.startTitle}>
        {text.search.startLead}
      </Empty>
      <ul className={classes.examples}>
        {text.search.examples.map(({ query, means }) => (
          <li key={query}>
            <Link to="/search" search={{ q: query }} className={classes.example}>
              <code>{query}</code>
              <span>{means}</span>
            </Link>
          </li>
        ))}
      </ul>
      {tags && tags.length > 0 && (
        <div className={classes.tags}>
          {tags.map((tag) => (
            <Tag
              key={tagRefTo(tag)}
              name={tag.name}
              kind={tag.kind}
              count={formatCount(tag.files)}
              testId="popular-tag"
              onClick={() =>
                navigate({ to: '/search', search: { q: tagTerm(tag.name), tag: tagRefTo(tag) } })
              }
            />
          ))}
        </div>
      )}
    </div>
  );
}
