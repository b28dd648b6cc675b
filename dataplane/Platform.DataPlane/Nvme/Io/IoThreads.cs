namespace Platform.DataPlane.Nvme.Io;

/// <summary>Threads of one device that do nothing but wait for the disk: for syncs, and for reads and writes that the <see cref="AioRing"/> cannot serve. They start when first needed.</summary>
/// <remarks>The thread pool is kept for work: on two cores it has two threads to begin with, and a blocked one is a core lost.</remarks>
internal sealed class IoThreads : IDisposable
{
    // Enough to keep a drive's queue busy with chunks of megabytes, which is where bulk throughput saturates.
    private const int MostThreads = 8;

    private readonly Queue<object> _work = new();
    private readonly Lock _start = new();
    private int _threads;
    private int _idle;
    private bool _ended;

    /// <summary>Has a request performed.</summary>
    /// <returns>False if the device is closed.</returns>
    public bool TryPerform(IoRequest request) => TryAdd(request);

    /// <summary>Runs <paramref name="work"/>, which does not throw, on one of the threads.</summary>
    /// <returns>False if the device is closed.</returns>
    public bool TryRun(Action work) => TryAdd(new Call(work));

    /// <summary>Runs <paramref name="work"/> on one of the threads. What it throws comes out of the task.</summary>
    public Task RunAsync(Action work)
    {
        var item = new Call(work);
        ObjectDisposedException.ThrowIf(!TryAdd(item), this);
        return item.Done.Task;
    }

    /// <summary>The threads end when nothing is left to do.</summary>
    public void Dispose()
    {
        lock (_work)
        {
            _ended = true;
            Monitor.PulseAll(_work);
        }
    }

    private bool TryAdd(object item)
    {
        lock (_work)
        {
            if (_ended)
            {
                return false;
            }

            _work.Enqueue(item);
            if (_idle >= _work.Count)
            {
                Monitor.Pulse(_work);
                return true;
            }
        }

        lock (_start)
        {
            if (_threads < MostThreads)
            {
                new Thread(Run, 256 * 1024) { IsBackground = true, Name = $"disk-{_threads++}" }.Start();
            }
        }

        return true;
    }

    private void Run()
    {
        while (Next() is { } item)
        {
            if (item is IoRequest request)
            {
                request.Perform();
            }
            else
            {
                ((Call)item).Run();
            }
        }
    }

    private object? Next()
    {
        lock (_work)
        {
            while (_work.Count == 0)
            {
                if (_ended)
                {
                    return null;
                }

                _idle++;
                Monitor.Wait(_work);
                _idle--;
            }

            return _work.Dequeue();
        }
    }

    private sealed class Call(Action work)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run()
        {
            try
            {
                work();
                Done.SetResult();
            }
            catch (Exception cause)
            {
                Done.SetException(cause);
            }
        }
    }
}
