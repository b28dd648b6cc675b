using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Sends leases to workers, and has them clean up.</summary>
internal interface IWorkerGateway
{
    /// <summary>Offers the job. Never throws for a worker that declines, answers nonsense or is not there: those are answers.</summary>
    Task<RunAnswer> OfferAsync(string worker, RunJobRequest request, CancellationToken cancellationToken);

    /// <summary>Has the worker stage what a waiting job will need. Never throws; what is not staged now is staged by the job.</summary>
    /// <returns>Objects that do not exist; null if the worker did not answer.</returns>
    Task<MissingObjects?> PrefetchAsync(string worker, PrefetchRequest request, CancellationToken cancellationToken);

    /// <summary>Has the worker delete everything that the job has in object storage. False if it could not.</summary>
    Task<bool> ForgetAsync(string worker, string jobId, CancellationToken cancellationToken);

    /// <summary>Has the worker delete what the attempts of an ended job left, but for the result of <paramref name="keepToken"/>. Null if it could not.</summary>
    Task<TidyAnswer?> TidyAsync(string worker, string jobId, long? keepToken, CancellationToken cancellationToken);
}

/// <summary>What a worker said to an offered job.</summary>
/// <param name="Accepted">True: it holds the lease and will say <c>Started</c> before it does anything.</param>
/// <param name="Reason">Why not.</param>
internal sealed record RunAnswer(bool Accepted, string Reason);
