namespace Platform.Dapr.Http;

/// <summary>Header names of the Dapr HTTP API.</summary>
internal static class DaprHeaders
{
    /// <summary>Token, the same name in both directions.</summary>
    public const string ApiToken = "dapr-api-token";

    /// <summary>Identifies one chain of actor calls; an actor copies it to the calls it makes.</summary>
    public const string ReentrancyId = "Dapr-Reentrancy-Id";

    /// <summary>On a 200 of an actor host: the body is the method's own error.</summary>
    public const string ErrorResponse = "X-DaprErrorResponseHeader";

    /// <summary>On the answer of a reminder or timer callback: stop it.</summary>
    public const string ReminderCancel = "X-DaprReminderCancel";
}
