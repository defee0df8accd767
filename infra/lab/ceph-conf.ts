/**
 * The configuration of the lab's Ceph: one monitor, one manager, one OSD on a file, and gateways, on
 * a machine with two cores. It has one copy and one key for all, and is of no use elsewhere. What
 * it keeps from a real cluster is what the tests are about: the gateway's S3.
 */
import { join } from "node:path";

export interface CephConf {
  /** Address of the host that all daemons run on. */
  readonly address: string;
  /** Holds the daemons' data and the keyring. */
  readonly directory: string;
  /** Holds their control sockets; must be short. */
  readonly runDirectory: string;
  readonly clusterId: string;
  readonly storeBytes: number;
}

const MON_PORT = 6789;

export const keyringFile = (directory: string): string => join(directory, "keyring");

/** The name by which a gateway is known to the cluster. */
export const gatewayUser = (index: number): string => `client.rgw.${index}`;

/** Everybody who takes part in the cluster, with one key and all rights; see ceph-authtool(8). */
export const renderKeyring = (key: string, gatewayCount: number): string => {
  const caps = ["mon", "mgr", "osd"].map((kind) => `\tcaps ${kind} = "allow *"\n`).join("");
  const gateways = Array.from({ length: gatewayCount }, (_, index) => gatewayUser(index));
  return ["mon.", "mgr.a", "osd.0", "client.admin", ...gateways]
    .map((name) => `[${name}]\n\tkey = ${key}\n${caps}`)
    .join("");
};

export const renderCephConf = (conf: CephConf): string => {
  const { address, directory, runDirectory, clusterId, storeBytes } = conf;
  return `[global]
fsid = ${clusterId}
mon initial members = a
mon host = v1:${address}:${MON_PORT}/0
ms bind msgr2 = false
public network = ${address}/32
public addr = ${address}
# Not "none": a client that need not log in can send a command before it knows the cluster's id, as
# happens on a busy machine, and is refused as another cluster's.
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${keyringFile(directory)}
# One copy on one disk.
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
mon warn on pool no redundancy = false
# A handful of placement groups is enough for one disk, and quick to make.
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
rgw rados pool pg num min = 8
run dir = ${runDirectory}
admin socket = ${runDirectory}/$name.asok
log to file = false
debug ms = 0
debug rgw = 0
# Whoever waits for a pool or for the OSD waits for the monitor's next decision.
paxos propose interval = 0.1
# The root disk may be rather full: that is none of the lab's business.
mon data avail warn = 1
mon data avail crit = 1

[mon]
mon data = ${directory}/mon
mon allow pool delete = true
auth allow insecure global id reclaim = false

[mgr]
mgr data = ${directory}/mgr
mgr initial modules =

[osd]
osd data = ${directory}/osd
osd objectstore = bluestore
bluestore block size = ${storeBytes}
bluestore block create = true
osd memory target = 1073741824
osd class update on start = true
osd scrub begin hour = 3
osd scrub end hour = 4
osd max scrubs = 0
osd op num shards = 2

[client]
rgw enable usage log = false
rgw enable ops log = false
rgw dynamic resharding = false
rgw thread pool size = 128
# Deleted objects give their space back within a minute instead of hours.
rgw gc obj min wait = 30
rgw gc processor period = 30
rgw gc processor max time = 30
# A quota is noticed at once instead of within ten minutes.
rgw bucket quota ttl = 0
rgw user quota bucket sync interval = 1
`;
};
