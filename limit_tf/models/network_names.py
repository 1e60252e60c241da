"""Names by which several networks in one model are told apart."""

import keras


def make_distinct(networks: dict[str, keras.Model]) -> None:
    """Gives networks and weights of equal names names of their own.

    HDF5 files, TensorBoard and `summary` go by names. A network whose name is
    taken by an earlier one gets its key at the end of the name; weights whose
    paths are taken get it in front of the path.

    Args:
        networks: Built or unbuilt networks by what they are in the model.
    """
    names, paths = {}, {}
    for key, network in networks.items():
        if names.setdefault(network.name, network) is not network:
            network.name = f"{network.name}_{key}"
            names[network.name] = network
        _rename_weights(network.weights, paths, key)


def _rename_weights(weights, paths, key):
    taken = set(paths)
    for weight in weights:
        if weight.path in taken and paths[weight.path] is not weight:
            weight._path = f"{key}/{weight.path}"  # it has no setter
        paths[weight.path] = weight
