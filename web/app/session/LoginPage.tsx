import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { hasCode, request } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import { sessionQuery } from '../api/queries';
import type { Session } from '../api/types';
import { localTarget } from '../shell/address';
import { Mark } from '../shell/Mark';
import { text } from '../text';
import { PageTitle } from '../ui/PageTitle';
import classes from './LoginPage.module.css';

const route = getRouteApi('/login');

export function LoginPage() {
  const { next, expired } = route.useSearch();
  const client = useQueryClient();
  const router = useRouter();
  const login = useMutation({
    mutationKey: keys.session,
    mutationFn: (credentials: { user: string; password: string }) =>
      request<Session>(url.session(), { method: 'POST', body: credentials }),
    onSuccess: (session) => {
      client.setQueryData(sessionQuery.queryKey, session);
      router.history.push(localTarget(next));
    },
  });

  const submit = (form: FormData) =>
    login.mutate({ user: String(form.get('user') ?? ''), password: String(form.get('password') ?? '') });

  return (
    <main className={classes.page}>
      <PageTitle>{text.login.title}</PageTitle>
      <form
        className={classes.card}
        onSubmit={(event) => {
          event.preventDefault();
          submit(new FormData(event.currentTarget));
        }}
      >
        <div className={classes.brand}>
          <Mark size={36} />
          <div>
            <h1 className={classes.title}>{text.product}</h1>
            <p className={classes.lead}>{text.login.lead}</p>
          </div>
        </div>
        <Stack gap="sm">
          {expired && !login.isError && (
            <Alert color="yellow" variant="light" p="xs" title={text.login.expired} />
          )}
          {login.isError && (
            <Alert color="red" variant="light" p="xs" role="alert" data-testid="login-error">
              {hasCode(login.error, 'unauthenticated') ? text.login.wrong : login.error.message}
            </Alert>
          )}
          <TextInput
            name="user"
            label={text.login.user}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            withAsterisk={false}
            data-autofocus
            autoFocus
            data-testid="login-user"
          />
          <PasswordInput
            name="password"
            label={text.login.password}
            autoComplete="current-password"
            required
            withAsterisk={false}
            data-testid="login-password"
          />
          <Button type="submit" fullWidth mt="xs" loading={login.isPending} data-testid="login-submit">
            {text.login.submit}
          </Button>
        </Stack>
      </form>
    </main>
  );
}
