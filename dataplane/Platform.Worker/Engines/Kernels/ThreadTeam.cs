namespace Platform.Worker.Engines.Kernels;

/// <summary>A few threads that share one loop at a time; one thread means none but the caller's.</summary>
/// <remarks>Each index is computed by exactly one thread in the same way, so the count of threads changes no result.</remarks>
internal sealed class ThreadTeam : IDisposable
{
    /// <summary>Loops with fewer elements of work than this are not worth waking anybody.</summary>
    private const long WorthSharing = 64 * 1024;

    private readonly Thread[] _threads;
    private readonly Barrier? _barrier;
    private Action<int, int>? _body;
    private int _count;
    private volatile bool _stopped;

    public ThreadTeam(int threadCount)
    {
        ThreadCount = threadCount;
        _threads = new Thread[threadCount - 1];
        if (threadCount == 1)
        {
            return;
        }

        _barrier = new Barrier(threadCount);
        for (var i = 0; i < _threads.Length; i++)
        {
            var index = i + 1;
            _threads[i] = new Thread(() => Work(index)) { IsBackground = true, Name = $"engine-team-{index}" };
            _threads[i].Start();
        }
    }

    public int ThreadCount { get; }

    /// <summary>Calls <paramref name="body"/> with ranges that together cover [0, count), and returns when all are done.</summary>
    /// <param name="count">Length of the loop.</param>
    /// <param name="work">Elements that the whole loop touches.</param>
    /// <param name="body">Must not throw.</param>
    public void Run(int count, long work, Action<int, int> body)
    {
        if (_barrier is null || work < WorthSharing || count < ThreadCount)
        {
            body(0, count);
            return;
        }

        (_body, _count) = (body, count);
        _barrier.SignalAndWait();
        RunShare(0);
        _barrier.SignalAndWait();
    }

    public void Dispose()
    {
        if (_barrier is null)
        {
            return;
        }

        _stopped = true;
        _barrier.SignalAndWait();
        foreach (var thread in _threads)
        {
            thread.Join();
        }

        _barrier.Dispose();
    }

    private void Work(int index)
    {
        while (true)
        {
            _barrier!.SignalAndWait();
            if (_stopped)
            {
                return;
            }

            RunShare(index);
            _barrier.SignalAndWait();
        }
    }

    private void RunShare(int index)
    {
        var begin = (int)((long)_count * index / ThreadCount);
        var end = (int)((long)_count * (index + 1) / ThreadCount);
        _body!(begin, end);
    }
}
