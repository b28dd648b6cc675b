namespace Platform.Jobs;

/// <summary>Dapr app ids and actor types: who answers to which name.</summary>
public static class AppIds
{
    /// <summary>The function app: the custom handler behind the Functions host.</summary>
    public const string Functions = "functions";

    /// <summary>The app that decides: job, model and index actors, node table, placement.</summary>
    public const string Control = "control";

    /// <summary>Workers are <c>worker-0</c>, <c>worker-1</c> ...: one app id per GPU node, so that a caller can name the node.</summary>
    public const string WorkerPrefix = "worker-";

    /// <summary>Actor type with one actor per job; the actor id is the job id.</summary>
    public const string JobActor = "JobActor";

    /// <summary>Actor type that lists jobs; one actor, id <c>all</c>.</summary>
    public const string JobIndexActor = "JobIndexActor";

    /// <summary>Actor type with one actor per model; the actor id is the model name.</summary>
    public const string ModelActor = "ModelActor";

    /// <summary>Actor type that lists models; one actor, id <c>all</c>.</summary>
    public const string ModelIndexActor = "ModelIndexActor";

    /// <summary>Id of the single actor of an index type.</summary>
    public const string IndexActorId = "all";

    /// <summary>Name of the queue whose messages start jobs.</summary>
    public const string JobQueue = "jobs";
}
