using System.Collections.Concurrent;
using FASTER.core;
using Session = FASTER.core.ClientSession<FASTER.core.SpanByte, FASTER.core.SpanByte, FASTER.core.Empty, Platform.DataPlane.Nvme.Blocks.BlockRecord, FASTER.core.Empty, Platform.DataPlane.Nvme.Blocks.BlockFunctions>;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>FASTER's sessions, each of which serves one operation at a time, and what is done with them. There are as many as there were operations at the same time.</summary>
internal sealed class BlockSessions(FasterKV<SpanByte, SpanByte> store) : IDisposable
{
    private readonly ConcurrentQueue<Session> _idle = new();
    private readonly BlockFunctions _functions = new();

    /// <summary>Gets a record; one without bytes if there is none.</summary>
    public async ValueTask<BlockRecord> ReadAsync(byte[] name)
    {
        var session = Rent();
        try
        {
            // Not cancelled on its way: the session must be at rest when it is returned.
            var (status, record) = (await Read(session, name)).Complete();
            return status.Found ? record : default;
        }
        finally
        {
            _idle.Enqueue(session);
        }
    }

    /// <summary>Writes a record; deletes it if it is null.</summary>
    public void Write(byte[] name, byte[]? record)
    {
        var session = Rent();
        try
        {
            Write(session, name, record);
        }
        finally
        {
            _idle.Enqueue(session);
        }
    }

    public void Dispose()
    {
        while (_idle.TryDequeue(out var session))
        {
            session.Dispose();
        }
    }

    private static unsafe ValueTask<FasterKV<SpanByte, SpanByte>.ReadAsyncResult<Empty, BlockRecord, Empty>> Read(Session session, byte[] name)
    {
        fixed (byte* start = name)
        {
            // FASTER copies the key if it has to wait for the disk.
            var key = SpanByte.FromFixedSpan(new Span<byte>(start, name.Length));
            var input = default(Empty);
            return session.ReadAsync(ref key, ref input);
        }
    }

    private static unsafe void Write(Session session, byte[] name, byte[]? record)
    {
        fixed (byte* nameStart = name)
        fixed (byte* recordStart = record)
        {
            var key = SpanByte.FromFixedSpan(new Span<byte>(nameStart, name.Length));
            if (record is null)
            {
                session.Delete(ref key);
                return;
            }

            var value = SpanByte.FromFixedSpan(new Span<byte>(recordStart, record.Length));
            session.Upsert(ref key, ref value);
        }
    }

    private Session Rent() => _idle.TryDequeue(out var session) ? session : store.For(_functions).NewSession<BlockFunctions>();
}
