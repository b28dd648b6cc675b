using System.Diagnostics;

namespace Platform.Worker.Engines.Kernels;

/// <summary>A few threads that share one loop at a time; one thread means none but the caller's. One caller at a time.</summary>
/// <remarks>
/// Each index is computed by exactly one thread in the same way, so the count of threads changes no result.
/// A token is a hundred such loops of microseconds each, one after the other: who waits looks again and again for a while before it sleeps, since to be woken takes longer than
/// the loop (with sixteen threads that slept at every loop, half a token was waking). Where looking is in vain, processors being few or busy, it is given up sooner each time.
/// </remarks>
internal sealed class ThreadTeam : IDisposable
{
    /// <summary>Loops with fewer elements of work than this are not worth waking anybody.</summary>
    private const long WorthSharing = 64 * 1024;

    private readonly Member[] _members;
    private readonly Member _caller = new();
    private Action<int, int>? _body;
    private int _count;

    /// <summary>Counts the loops.</summary>
    private int _loop;

    /// <summary>Members that have not finished the present loop.</summary>
    private int _busy;
    private volatile bool _stopped;

    public ThreadTeam(int threadCount)
    {
        ThreadCount = threadCount;
        _members = new Member[threadCount - 1];
        for (var i = 0; i < _members.Length; i++)
        {
            var (member, index) = (_members[i] = new Member(), i + 1);
            member.Thread = new Thread(() => Work(member, index)) { IsBackground = true, Name = $"engine-team-{index}" };
            member.Thread.Start();
        }
    }

    public int ThreadCount { get; }

    /// <summary>Calls <paramref name="body"/> with ranges that together cover [0, count), and returns when all are done.</summary>
    /// <param name="count">Length of the loop.</param>
    /// <param name="work">Elements that the whole loop touches.</param>
    /// <param name="body">Must not throw.</param>
    public void Run(int count, long work, Action<int, int> body)
    {
        if (_members.Length == 0 || work < WorthSharing || count < ThreadCount)
        {
            body(0, count);
            return;
        }

        (_body, _count) = (body, count);
        Begin();
        RunShare(0);
        _caller.Await(ref _busy, 0);
    }

    public void Dispose()
    {
        _stopped = true;
        Begin();
        foreach (var member in _members)
        {
            member.Thread!.Join();
            member.Dispose();
        }

        _caller.Dispose();
    }

    private void Begin()
    {
        _busy = _members.Length;
        Volatile.Write(ref _loop, _loop + 1);
        foreach (var member in _members)
        {
            member.Wake();
        }
    }

    private void Work(Member self, int index)
    {
        for (var loop = 1; ; loop++)
        {
            self.Await(ref _loop, loop);
            if (_stopped)
            {
                return;
            }

            RunShare(index);
            if (Interlocked.Decrement(ref _busy) == 0)
            {
                _caller.Wake();
            }
        }
    }

    private void RunShare(int index)
    {
        var begin = (int)((long)_count * index / ThreadCount);
        var end = (int)((long)_count * (index + 1) / ThreadCount);
        _body!(begin, end);
    }

    /// <summary>One thread that waits for others.</summary>
    private sealed class Member : IDisposable
    {
        private const int LooksAtOnce = 32;
        private static readonly long MaxPatience = Stopwatch.Frequency / 5_000;

        private readonly AutoResetEvent _wake = new(false);
        private int _sleeps;
        private long _patience = MaxPatience;

        public Thread? Thread { get; set; }

        /// <summary>Returns when a place has a value; whoever puts it there calls <see cref="Wake"/> afterwards.</summary>
        public void Await(ref int place, int value)
        {
            var started = Stopwatch.GetTimestamp();
            do
            {
                for (var look = 0; look < LooksAtOnce; look++)
                {
                    if (Volatile.Read(ref place) == value)
                    {
                        _patience = Math.Min(MaxPatience, (2 * _patience) + 1);
                        return;
                    }

                    Thread.SpinWait(4);
                }
            }
            while (Stopwatch.GetTimestamp() - started < _patience);

            _patience /= 2;
            while (true)
            {
                // Says that it sleeps, then looks once more: who comes in between has either seen that or been seen.
                Interlocked.Exchange(ref _sleeps, 1);
                if (Volatile.Read(ref place) == value && Interlocked.Exchange(ref _sleeps, 0) == 1)
                {
                    return;
                }

                _wake.WaitOne();
                if (Volatile.Read(ref place) == value)
                {
                    return;
                }
            }
        }

        public void Wake()
        {
            // The exchange is also the fence between the value and the look at whether somebody sleeps.
            if (Interlocked.Exchange(ref _sleeps, 0) == 1)
            {
                _wake.Set();
            }
        }

        public void Dispose() => _wake.Dispose();
    }
}
