"""Channels that need nothing but the installation; e-mail is Airflow's, see `corral_ops.mail`."""

from include.corral.channel import Channel
from include.corral.channels.chat import AppriseChannel
from include.corral.channels.file import FileChannel
from include.corral.channels.voevent import VOEventChannel
from include.corral.channels.webhook import WebhookChannel

KINDS: dict[str, type[Channel]] = {
    channel.kind: channel
    for channel in (FileChannel, WebhookChannel, AppriseChannel, VOEventChannel)
}
