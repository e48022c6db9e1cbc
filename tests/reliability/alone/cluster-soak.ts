import { alone } from '../../support/alone';
import { soakCluster } from '../../support/cluster-soak';

alone(soakCluster);
