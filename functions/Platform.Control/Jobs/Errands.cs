using System.Threading.Channels;

namespace Platform.Control.Jobs;

/// <summary>What follows from a turn and must not hold it: calls to other actors, to workers, to webhooks. In memory; whoever sends one has it in its state that it is owed, and sends it again.</summary>
internal sealed class Errands(ILogger<Errands> logger) : BackgroundService
{
    private const int AtOnce = 32;
    private readonly Channel<(string What, Func<CancellationToken, Task> Run)> _waiting = Channel.CreateBounded<(string, Func<CancellationToken, Task>)>(
        new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Adds an errand. With too many waiting it is dropped, as after a crash.</summary>
    public void Add(string what, Func<CancellationToken, Task> run) => _waiting.Writer.TryWrite((what, run));

    /// <summary>Runs the errands that wait now, one after the other.</summary>
    public async Task RunWaitingAsync(CancellationToken cancellationToken)
    {
        while (_waiting.Reader.TryRead(out var errand))
        {
            await RunAsync(errand, cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Parallel.ForEachAsync(_waiting.Reader.ReadAllAsync(stoppingToken), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken }, async (errand, token) => await RunAsync(errand, token));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What is left is owed, and sent again by the next process.
        }
    }

    private async Task RunAsync((string What, Func<CancellationToken, Task> Run) errand, CancellationToken cancellationToken)
    {
        try
        {
            await errand.Run(cancellationToken);
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
        {
            JobLog.ErrandFailed(logger, errand.What, fault.Message);
        }
    }
}
