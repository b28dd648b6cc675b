using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.State;

/// <summary>A state store component as one app sees it: the store and the rule that makes its keys.</summary>
internal sealed class StateComponent
{
    private readonly string _prefix;

    public StateComponent(ComponentResource resource, StateStore store, string appId)
    {
        Resource = resource;
        Store = store;
        _prefix = resource.Find("keyPrefix") switch
        {
            null or "" or "appid" or "namespace" => appId + "||",
            "name" => resource.Name + "||",
            "none" => "",
            var literal => literal + "||",
        };
        IsActorStore = string.Equals(resource.Find("actorStateStore"), "true", StringComparison.OrdinalIgnoreCase);
    }

    public ComponentResource Resource { get; }

    public StateStore Store { get; }

    public bool IsActorStore { get; }

    /// <summary>The key in the store.</summary>
    /// <exception cref="DaprErrorException">400: the key has the separator in it.</exception>
    public string KeyOf(string key)
    {
        if (!key.Contains("||", StringComparison.Ordinal))
        {
            return _prefix + key;
        }

        var message = $"input key/keyPrefix '{key}' can't contain '||'";
        throw new DaprErrorException(new DaprError(400, "ERR_MALFORMED_REQUEST", message)
        {
            Details = new DaprErrorDetails("DAPR_STATE_ILLEGAL_KEY") { Violation = (key, message), Resource = ("state", Resource.Name, "") },
        });
    }
}
