using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary>Job ids in routes.</summary>
internal static class JobIds
{
    /// <summary>The id, if it can be one.</summary>
    /// <exception cref="ProblemException">It cannot, so there is no such job.</exception>
    public static string Checked(string id) => Names.IsJobId(id) ? id : throw Unknown(id);

    public static ProblemException Unknown(string id) =>
        new(Problem.Of(404, ErrorCodes.JobNotFound, $"There is no job '{(id.Length > 80 ? id[..80] : id)}'. GET /api/jobs lists the jobs."));
}
