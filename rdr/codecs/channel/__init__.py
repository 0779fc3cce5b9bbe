"""Channel simulation: codecs whose reconstruction is the input plus noise of a stated distribution."""

from rdr.codecs.channel.base import ChannelCodec

__all__ = ["ChannelCodec"]
