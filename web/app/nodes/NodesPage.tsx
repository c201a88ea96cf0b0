import { IconServerOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { clusterQuery, nodesQuery } from '../api/queries';
import { useMay } from '../session/useSession';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { Failure } from '../ui/Failure';
import { PageHeader } from '../ui/PageHeader';
import { PageTitle } from '../ui/PageTitle';
import { Rows } from '../ui/Rows';
import { ClusterSummary } from './ClusterSummary';
import { useWake } from './mutations';
import { NodeCard } from './NodeCard';
import classes from './NodesPage.module.css';
import { StopDialog } from './StopDialog';
import { TransitionList } from './TransitionList';

/** Load, memory and heartbeats come with no event: while this page is open they are asked for. */
const LIVE_MS = 2_000;

export function NodesPage() {
  const nodes = useQuery({ ...nodesQuery, refetchInterval: LIVE_MS });
  const cluster = useQuery(clusterQuery);
  const mayAct = useMay('operator');
  const wake = useWake();
  const [stopping, setStopping] = useState<string | null>(null);

  return (
    <section className={classes.page} aria-label={text.nodes.title}>
      <PageTitle>{text.nodes.title}</PageTitle>
      <PageHeader title={<h1>{text.nodes.title}</h1>} />
      <div className={classes.content}>
        {cluster.data && <ClusterSummary cluster={cluster.data} />}
        {nodes.isPending && <Rows count={6} height={28} />}
        {nodes.isError && !nodes.data && <Failure error={nodes.error} onRetry={nodes.refetch} />}
        {nodes.data?.length === 0 && <Empty icon={<IconServerOff size={22} />} title={text.nodes.empty} />}
        <div className={classes.grid}>
          {nodes.data?.map((node) => (
            <NodeCard
              key={node.id}
              node={node}
              mayAct={mayAct}
              waking={wake.isPending && wake.variables === node.name}
              onStop={() => setStopping(node.name)}
              onWake={() => wake.mutate(node.name)}
            />
          ))}
        </div>
        <TransitionList />
      </div>
      {stopping !== null && <StopDialog name={stopping} onClose={() => setStopping(null)} />}
    </section>
  );
}
