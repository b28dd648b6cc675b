using System.Collections.Concurrent;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>Threads that do nothing but wait for the disk. The thread pool is kept for work: on two cores it has two threads to begin with, and a blocked one is a core lost.</summary>
internal sealed class IoThreads : IDisposable
{
    private readonly BlockingCollection<IoWork> _queue = new(new ConcurrentQueue<IoWork>());

    public IoThreads(string name, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var thread = new Thread(Run, 256 * 1024) { IsBackground = true, Name = $"{name}-io-{i}" };
            thread.Start();
        }
    }

    /// <summary>Runs <paramref name="work"/> on one of the threads. What it throws comes out of the task.</summary>
    public Task RunAsync(Action work)
    {
        var item = new IoWork(work);
        _queue.Add(item);
        return item.Done.Task;
    }

    public void Dispose() => _queue.CompleteAdding();

    private void Run()
    {
        foreach (var item in _queue.GetConsumingEnumerable())
        {
            try
            {
                item.Work();
                item.Done.SetResult();
            }
            catch (Exception cause)
            {
                item.Done.SetException(cause);
            }
        }
    }

    private sealed class IoWork(Action work)
    {
        public Action Work { get; } = work;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
