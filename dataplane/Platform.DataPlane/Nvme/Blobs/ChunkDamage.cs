namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>A chunk whose bytes are not what its checksum says, or cannot be read.</summary>
internal sealed record ChunkDamage(int Index, long Offset, int LengthBytes, string Problem);
