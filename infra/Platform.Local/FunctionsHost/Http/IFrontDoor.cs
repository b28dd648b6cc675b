namespace Platform.Local.FunctionsHost.Http;

/// <summary>Takes the host's HTTP requests: those of a loaded app, or of one that could not be loaded.</summary>
internal interface IFrontDoor
{
    /// <summary>Answers the request; false if this door has closed, and nothing was answered.</summary>
    Task<bool> HandleAsync(HttpContext context);
}
