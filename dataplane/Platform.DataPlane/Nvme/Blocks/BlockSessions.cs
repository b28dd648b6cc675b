using System.Collections.Concurrent;
using FASTER.core;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>FASTER's sessions, each of which serves one operation at a time; a bounded number, so that the checkpoint record, which lists them, is bounded.</summary>
internal sealed class BlockSessions(FasterKV<SpanByte, SpanByte> store) : IDisposable
{
    private const int Most = 64;

    private readonly ConcurrentQueue<ClientSession<SpanByte, SpanByte, Empty, BlockRecord, Empty, BlockFunctions>> _idle = new();
    private readonly SemaphoreSlim _available = new(Most);
    private readonly BlockFunctions _functions = new();

    public async ValueTask<ClientSession<SpanByte, SpanByte, Empty, BlockRecord, Empty, BlockFunctions>> RentAsync(CancellationToken cancellationToken)
    {
        await _available.WaitAsync(cancellationToken);
        return _idle.TryDequeue(out var session) ? session : store.For(_functions).NewSession<BlockFunctions>();
    }

    public void Return(ClientSession<SpanByte, SpanByte, Empty, BlockRecord, Empty, BlockFunctions> session)
    {
        _idle.Enqueue(session);
        _available.Release();
    }

    public void Dispose()
    {
        while (_idle.TryDequeue(out var session))
        {
            session.Dispose();
        }
    }
}
