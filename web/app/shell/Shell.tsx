import { IconBell, IconFolder, IconSearch, IconServer2, IconTrash } from '@tabler/icons-react';
import { Link, Outlet } from '@tanstack/react-router';
import { use, useEffect } from 'react';
import { LiveContext } from '../live/useLive';
import { UnreadCount } from '../messages/UnreadCount';
import { SearchBox } from '../search/SearchBox';
import { UserMenu } from '../session/UserMenu';
import { text } from '../text';
import { ConflictDialog } from '../upload/ConflictDialog';
import { UploadPanel } from '../upload/UploadPanel';
import { DisconnectedBanner } from './DisconnectedBanner';
import { HealthPill } from './HealthPill';
import { Mark } from './Mark';
import classes from './Shell.module.css';
import { useWide } from './useWide';

const PAGES = [
  { to: '/files', label: text.nav.files, Icon: IconFolder },
  { to: '/search', label: text.nav.search, Icon: IconSearch },
  { to: '/nodes', label: text.nav.nodes, Icon: IconServer2 },
  { to: '/messages', label: text.nav.messages, Icon: IconBell },
  { to: '/trash', label: text.nav.trash, Icon: IconTrash },
] as const;

/** The frame around every page of a signed-in person. */
export function Shell() {
  const live = use(LiveContext);
  const wide = useWide();

  // The socket lives as long as someone is signed in and this frame stands.
  useEffect(() => {
    live?.start();
    return () => live?.stop();
  }, [live]);

  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        {text.nav.skip}
      </a>
      <header className={classes.header}>
        <Link to="/files" className={classes.brand} aria-label={text.product}>
          <Mark />
          <span className={classes.name}>{text.product}</span>
        </Link>
        <div className={classes.search}>{wide && <SearchBox />}</div>
        <HealthPill />
        <UserMenu />
      </header>
      <DisconnectedBanner />
      <div className={classes.body}>
        <nav className={classes.nav} aria-label={text.nav.label}>
          {PAGES.map(({ to, label, Icon }) => (
            <Link key={to} to={to} className={classes.link} activeOptions={{ includeSearch: false }}>
              <Icon size={18} stroke={1.7} aria-hidden />
              <span>{label}</span>
              {to === '/messages' && <UnreadCount />}
            </Link>
          ))}
        </nav>
        <main id="content" className={classes.main} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <UploadPanel />
      <ConflictDialog />
    </div>
  );
}
