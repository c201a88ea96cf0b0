import { Badge } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { messagesQuery } from '../api/queries';
import { usePollMs } from '../live/useLive';
import { text } from '../text';

/** How many messages wait to be read, beside their page's name. */
export function UnreadCount() {
  const { data } = useQuery({ ...messagesQuery('open'), refetchInterval: usePollMs() });
  if (!data?.unread) return null;
  return (
    <Badge
      size="sm"
      color="red"
      variant="filled"
      aria-label={text.nav.unread(data.unread)}
      data-testid="unread"
    >
      {data.unread}
    </Badge>
  );
}
