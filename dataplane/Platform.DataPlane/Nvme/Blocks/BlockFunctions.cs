using FASTER.core;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>How values get into FASTER's log and out of it: always to a new record, and out as a copy with the address of the record.</summary>
internal sealed class BlockFunctions : FunctionsBase<SpanByte, SpanByte, Empty, BlockRecord, Empty>
{
    public override bool SingleWriter(ref SpanByte key, ref Empty input, ref SpanByte src, ref SpanByte dst, ref BlockRecord output, ref UpsertInfo upsertInfo, WriteReason reason)
    {
        src.CopyTo(ref dst);
        return true;
    }

    // A block is immutable: a new value of a key is a new record.
    public override bool ConcurrentWriter(ref SpanByte key, ref Empty input, ref SpanByte src, ref SpanByte dst, ref BlockRecord output, ref UpsertInfo upsertInfo) => false;

    public override bool SingleReader(ref SpanByte key, ref Empty input, ref SpanByte value, ref BlockRecord dst, ref ReadInfo readInfo) => Read(ref value, ref dst, readInfo.Address);

    public override bool ConcurrentReader(ref SpanByte key, ref Empty input, ref SpanByte value, ref BlockRecord dst, ref ReadInfo readInfo) => Read(ref value, ref dst, readInfo.Address);

    public override bool SingleDeleter(ref SpanByte key, ref SpanByte value, ref DeleteInfo deleteInfo) => true;

    private static bool Read(ref SpanByte value, ref BlockRecord target, long address)
    {
        target = new BlockRecord(value.ToByteArray(), address);
        return true;
    }
}

/// <summary>A value as it was found, and where.</summary>
internal readonly record struct BlockRecord(byte[]? Bytes, long Address);
