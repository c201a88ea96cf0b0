import { SegmentedControl } from '@mantine/core';
import { IconBellOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { messagesQuery, type Shown } from '../api/queries';
import { usePollMs } from '../live/useLive';
import { useMay } from '../session/useSession';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { Failure } from '../ui/Failure';
import { PageHeader } from '../ui/PageHeader';
import { PageTitle } from '../ui/PageTitle';
import { Rows } from '../ui/Rows';
import { MessageCard } from './MessageCard';
import classes from './MessagesPage.module.css';

const SHOWN: Shown[] = ['open', 'unread', 'all'];

/** What the monitor wants people to know, and what they can do about it. */
export function MessagesPage() {
  const [shown, setShown] = useState<Shown>('open');
  const messages = useQuery({ ...messagesQuery(shown), refetchInterval: usePollMs() });
  const mayAct = useMay('operator');
  return (
    <section className={classes.page} aria-label={text.messages.title}>
      <PageTitle>{text.messages.title}</PageTitle>
      <PageHeader title={<h1>{text.messages.title}</h1>}>
        <SegmentedControl
          size="xs"
          aria-label={text.messages.show}
          value={shown}
          onChange={(value) => setShown(SHOWN.find((known) => known === value) ?? 'open')}
          data={SHOWN.map((value) => ({ value, label: text.messages[value] }))}
        />
      </PageHeader>
      <div className={classes.content}>
        {messages.isPending && <Rows count={4} height={28} />}
        {messages.isError && !messages.data && <Failure error={messages.error} onRetry={messages.refetch} />}
        {messages.data?.items.length === 0 && (
          <Empty icon={<IconBellOff size={22} />} title={text.messages.empty} />
        )}
        {messages.data?.items.map((message) => (
          <MessageCard key={message.id} message={message} mayAct={mayAct} />
        ))}
      </div>
    </section>
  );
}
