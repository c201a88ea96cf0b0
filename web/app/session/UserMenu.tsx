import { ActionIcon, Menu, SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { IconLogout, IconUserCircle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { send } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import { text } from '../text';
import classes from './UserMenu.module.css';
import { useSession } from './useSession';

/** Who is signed in, how the page looks, and the way out. */
export function UserMenu() {
  const session = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const signOut = useMutation({
    mutationKey: keys.session,
    mutationFn: () => send(url.session(), { method: 'DELETE' }),
    onSettled: async () => {
      await navigate({ to: '/login', search: {} });
      client.clear();
    },
  });

  return (
    <Menu position="bottom-end" width={220} keepMounted={false}>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={text.user.menu}
          data-testid="user-menu"
        >
          <IconUserCircle size={22} stroke={1.6} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={classes.who}>
          <div className="cut">{session.user}</div>
          <div className={classes.role}>{text.user.role[session.role]}</div>
        </div>
        <Menu.Divider />
        <Menu.Label>{text.user.scheme}</Menu.Label>
        <div className={classes.scheme}>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label={text.user.scheme}
            value={colorScheme}
            onChange={setColorScheme}
            data={(['auto', 'light', 'dark'] as const).map((value) => ({
              value,
              label: text.user.schemes[value],
            }))}
          />
        </div>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconLogout size={16} />}
          onClick={() => signOut.mutate()}
          data-testid="sign-out"
        >
          {text.user.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
