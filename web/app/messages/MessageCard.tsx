import { Badge, Button } from '@mantine/core';
import type { Message } from '../api/types';
import { text } from '../text';
import { Ago } from '../ui/Ago';
import classes from './MessageCard.module.css';
import { useHelp, useMark, useSilence } from './mutations';

const COLOR: Record<string, string> = { critical: 'red', warning: 'orange', info: 'blue' };

/** One message: what is the case, whom it touches, what to do, and the buttons for it. */
export function MessageCard({ message, mayAct }: { message: Message; mayAct: boolean }) {
  const firing = message.state === 'firing';
  return (
    <article
      className={classes.card}
      data-testid="message"
      data-name={message.name}
      data-state={message.state}
      data-read={message.read}
    >
      <header className={classes.header}>
        <Badge
          variant="light"
          color={firing ? (COLOR[message.severity] ?? 'gray') : 'gray'}
          tt="none"
          radius="sm"
        >
          {text.messages.severities[message.severity] ?? message.severity}
        </Badge>
        <h2 className={classes.summary}>{message.summary || message.name}</h2>
        <span className={classes.time}>
          {firing ? text.messages.firing : text.messages.ended}{' '}
          <Ago time={message.ended_at ?? message.started_at} />
        </span>
      </header>
      <p className={classes.advice}>{message.advice}</p>
      <p className={classes.facts}>{factsOf(message).join(' · ')}</p>
      <Buttons message={message} mayAct={mayAct} />
    </article>
  );
}

function factsOf(message: Message): string[] {
  const facts = [message.name];
  if (message.source !== 'monitor') facts.push(text.messages.from(message.source));
  if (message.files !== null) facts.push(text.messages.files(message.files));
  if (message.owners.length > 0) facts.push(text.messages.owners(message.owners));
  if (message.tags.length > 0) facts.push(text.messages.tags(message.tags));
  if (message.children > 0) facts.push(text.messages.children(message.children));
  if (message.silenced) facts.push(text.messages.silenced);
  if (message.acknowledged_by) facts.push(text.messages.takenBy(message.acknowledged_by));
  return facts;
}

function Buttons({ message, mayAct }: { message: Message; mayAct: boolean }) {
  const mark = useMark();
  const help = useHelp();
  const silence = useSilence();
  const firing = message.state === 'firing';
  return (
    <div className={classes.buttons}>
      {mayAct &&
        firing &&
        message.acts.map((act) => (
          <Button
            key={`${act.verb} ${act.node}`}
            size="xs"
            loading={help.isPending && help.variables === act}
            onClick={() => help.mutate(act)}
            data-testid={`message-${act.verb}`}
          >
            {text.messages.act[act.verb](act.node)}
          </Button>
        ))}
      {mayAct && firing && (
        <Button
          size="xs"
          variant="default"
          onClick={() => mark.mutate({ id: message.id, acknowledged: message.acknowledged_by === null })}
          data-testid="message-acknowledge"
        >
          {message.acknowledged_by === null ? text.messages.acknowledge : text.messages.release}
        </Button>
      )}
      {mayAct && firing && !message.silenced && (
        <Button
          size="xs"
          variant="default"
          onClick={() => silence.mutate(message)}
          data-testid="message-silence"
        >
          {text.messages.silence}
        </Button>
      )}
      <Button
        size="xs"
        variant="subtle"
        onClick={() => mark.mutate({ id: message.id, read: !message.read })}
        data-testid="message-read"
      >
        {message.read ? text.messages.markUnread : text.messages.markRead}
      </Button>
    </div>
  );
}
